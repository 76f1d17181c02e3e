// A process of users' code that is not itself any more: what its parent makes of it (processes.test.ts). The job's code says which.
process.stdin.on("end", () => process.exit(0));
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const end = (ended) => say({ ended: { durationMs: 1, ...ended } });
const log = { log: { level: "log", text: "a" } };

const ways = {
  "is silent": () => undefined,
  exits: () => process.exit(3),
  "says no JSON": () => process.stdout.write("nonsense\n"),
  "says what nobody knows": () => say({ hello: 1 }),
  "says it is ready": () => say({ isReady: true }),
  "never ends its line": () => process.stdout.write("a".repeat(600_000)),
  "logs without end": () => {
    for (let i = 0; i < 5_000; i++) say(log);
  },
  "logs a line that is too long": () => say({ log: { level: "log", text: "a".repeat(1_001) } }),
  "calls what it was not given": () => say({ call: { id: 1, name: "fetch", values: "[]" } }),
  "calls what every object has": () => say({ call: { id: 1, name: "constructor", values: "[]" } }),
  "answers no JSON": () => end({ output: "nonsense" }),
  "answers an unknown reason": () => end({ error: { reason: "won", name: "a", message: "b" } }),
  "answers too much": () => end({ output: JSON.stringify("a".repeat(600_000)) }),
  "answers a tower": () => end({ output: "[".repeat(100) + "]".repeat(100) }),
  "answers a crowd": () => end({ output: JSON.stringify(new Array(20_001).fill(1)) }),
  "answers twice": () => {
    end({ output: "1" });
    end({ output: "2" });
  },
};

let begun = "";
process.stdin.setEncoding("utf8").on("data", (part) => {
  const lines = (begun + part).split("\n");
  begun = lines.pop();
  for (const line of lines) {
    const { job, ping } = JSON.parse(line);
    if (job !== undefined) ways[job.code]();
    if (ping !== undefined) say({ pong: ping });
  }
});
say({ isReady: true });
