// Retires every signing key. The next token is signed with a new one.
//
//   npm run rotate            the old keys stay in the key set, so tokens already out still work
//   npm run rotate -- --drop  the old keys are gone, and so is every token signed with them

import { auth } from "./auth.mjs";

const { adapter } = await auth.$context;
const drop = process.argv.includes("--drop");
const all = { model: "jwks", where: [] };
const count = drop
  ? await adapter.deleteMany(all)
  : await adapter.updateMany({ ...all, update: { expiresAt: new Date() } });
console.log(`${count} key${count === 1 ? "" : "s"} ${drop ? "deleted" : "retired"}.`);
