// A relay that takes mail only over TLS and after a log-in. argv: key, certificate, user, password, folder for what it took.
// Says "listening PORT", then a line of JSON for each mail.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SMTPServer } from "smtp-server";

const [key, certificate, user, password, folder] = process.argv.slice(2);
let taken = 0;
const server = new SMTPServer({
  key: readFileSync(key),
  cert: readFileSync(certificate),
  authMethods: ["PLAIN", "LOGIN"],
  onAuth(given, _session, answer) {
    if (given.username !== user || given.password !== password) {
      return answer(new Error("Invalid username or password"));
    }
    return answer(null, { user });
  },
  onData(stream, session, answer) {
    const pieces = [];
    stream.on("data", (piece) => pieces.push(piece));
    stream.on("end", () => {
      const file = join(folder, `${(taken += 1)}.eml`);
      writeFileSync(file, Buffer.concat(pieces));
      const { mailFrom, rcptTo } = session.envelope;
      const line = { file, secure: session.secure, user: session.user, from: mailFrom.address, to: rcptTo.map((one) => one.address) };
      process.stdout.write(`${JSON.stringify(line)}\n`);
      answer();
    });
  },
});
server.on("error", (error) => process.stderr.write(`${error.message}\n`));
server.listen(0, "127.0.0.1", () => process.stdout.write(`listening ${server.server.address().port}\n`));
