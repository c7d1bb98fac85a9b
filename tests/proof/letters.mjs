// stdin: files. stdout: each as mailparser reads it.
import { readFileSync } from "node:fs";
import { simpleParser } from "mailparser";

const read = [];
for (const file of JSON.parse(readFileSync(0, "utf8"))) {
  // mailparser 3 makes a text of an HTML part, and HTML of a text part, unless it is told not to.
  const mail = await simpleParser(readFileSync(file), { skipTextToHtml: true, skipHtmlToText: true });
  const headers = Object.fromEntries(mail.headerLines.map(({ key, line }) => [key, line]));
  const one = { subject: mail.subject, text: mail.text, html: mail.html, messageId: mail.messageId, from: mail.from.value, to: mail.to.value, headers };
  one.list = mail.headers.get("list");
  one.attachments = mail.attachments.length;
  read.push(one);
}
process.stdout.write(JSON.stringify(read));
