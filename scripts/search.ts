// `npm run search -- "question"`: asks the running app as the demo organisation.
import { ApiClient } from "./demo/api-client";
import { answerTo } from "./demo/search";
import { findState } from "./demo/state";

const {
  BASE_URL: baseUrl = `http://localhost:${process.env.PORT ?? "4000"}`,
  GROUNDWORK_STATE_DIR: stateDir = ".groundwork",
} = process.env;

async function main(): Promise<void> {
  const question = process.argv.slice(2).join(" ").trim();
  if (question === "") throw new Error('ask something: npm run search -- "how are passwords hashed"');
  const person = findState(stateDir);
  if (person === undefined) throw new Error(`there is no demo organisation in ${stateDir} yet: run npm start first`);
  const client = new ApiClient(baseUrl, person);
  process.stdout.write(await answerTo(client, question, 5));
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
