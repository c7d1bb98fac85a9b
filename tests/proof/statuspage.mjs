// stdin: {url}. stdout: every answer of npm statuspage.io's public calls, by name.
import { readFileSync } from "node:fs";
import { Statuspage } from "statuspage.io";

const { url } = JSON.parse(readFileSync(0, "utf8"));
const { api } = (() => {
  const client = new Statuspage("page");
  client.setApiUrl(url);
  return client;
})();
const answers = {
  summary: await api.getSummary(),
  status: await api.getStatus(),
  components: await api.getComponents(),
  incidents: await api.incidents.getAll(),
  unresolved: await api.incidents.getUnresolved(),
  maintenances: await api.scheduledMaintenances.getAll(),
  active: await api.scheduledMaintenances.getActive(),
  upcoming: await api.scheduledMaintenances.getUpcoming(),
};
process.stdout.write(JSON.stringify(answers));
