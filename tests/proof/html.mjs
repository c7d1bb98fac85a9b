// stdin: {rules, pages: [{name, html}]}. stdout: what html-validate holds against them.
import { readFileSync } from "node:fs";
import { HtmlValidate } from "html-validate";

const { config, pages } = JSON.parse(readFileSync(0, "utf8"));
const validate = new HtmlValidate({ root: true, ...config });
const found = [];
for (const { name, html } of pages) {
  const report = await validate.validateString(html, name);
  for (const result of report.results) {
    for (const message of result.messages) {
      found.push({ page: name, rule: message.ruleId, message: message.message, line: message.line, selector: message.selector });
    }
  }
}
process.stdout.write(JSON.stringify(found));
