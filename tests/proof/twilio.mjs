// stdin: [{token, signature, url, fields}]. stdout: whether Twilio's own library takes each for Twilio's.
import { readFileSync } from "node:fs";
import twilio from "twilio";

const calls = JSON.parse(readFileSync(0, "utf8"));
const valid = calls.map(({ token, signature, url, fields }) => twilio.validateRequest(token, signature, url, fields));
process.stdout.write(JSON.stringify(valid));
