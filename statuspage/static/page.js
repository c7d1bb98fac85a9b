(function(){var made=document.getElementById("as-of"),old=document.getElementById("old"),clock=document.getElementById("clock"),lang=document.documentElement.lang;
function local(text){return new Date(text).toLocaleString(lang)}
document.querySelectorAll("time").forEach(function(time){time.title=local(time.dateTime)});
if(!made)return;
var zone=/([+-])(\d\d):(\d\d)$/.exec(made.dateTime),offset=zone?(zone[1]+1)*(zone[2]*60+ +zone[3]):0;
if(-new Date(made.dateTime).getTimezoneOffset()!==offset){clock.textContent=local(made.dateTime);clock.parentNode.hidden=false}
function check(){old.hidden=Date.now()-Date.parse(made.dateTime)<36e5}
check();setInterval(check,6e4)})()
