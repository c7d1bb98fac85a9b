// stdin: {path: text}. stdout: what rss-parser and feedsmith read in each.
import { readFileSync } from "node:fs";
import { parseFeed } from "feedsmith";
import Parser from "rss-parser";

const read = {};
for (const [path, text] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  const { format, feed } = parseFeed(text);
  read[path] = { feedsmith: { format, feed } };
  if (format !== "json") {
    read[path].rssParser = await new Parser().parseString(text);
  }
}
process.stdout.write(JSON.stringify(read));
