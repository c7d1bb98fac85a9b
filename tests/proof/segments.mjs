// stdin: texts. stdout: what sms-segments-calculator makes of each.
import { readFileSync } from "node:fs";
import { SegmentedMessage } from "sms-segments-calculator";

const texts = JSON.parse(readFileSync(0, "utf8"));
const counted = texts.map((text) => {
  const message = new SegmentedMessage(text, "auto", false);
  const unit = message.encodingName === "GSM-7" ? 7 : 16;
  return { encoding: message.encodingName, units: message.messageSize / unit, segments: message.segmentsCount };
});
process.stdout.write(JSON.stringify(counted));
