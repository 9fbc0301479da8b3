// What a service does with ZeroG, by the generated client. It prints what it saw.
import createClient from "openapi-fetch";
import type { components, paths } from "./zerog.js";

type Progress = components["schemas"]["Progress"];

const client = createClient<paths>({ baseUrl: process.argv[2] ?? "" });

/** Return what a call has answered; fail for a problem. */
function ok<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

async function wait(uuid: string): Promise<Progress> {
  for (let round = 0; round < 20; round++) {
    const params = { path: { uuid }, query: { wait: 20 } };
    const progress = ok(await client.GET("/v1/jobs/{uuid}/progress", { params }));
    if (progress.resultCode !== -1) return progress;
  }
  throw new Error(`${uuid} does not end`);
}

async function data(uuid: string): Promise<unknown> {
  const { state } = await wait(uuid);
  const found = ok(await client.GET("/v1/jobs/{uuid}/data", { params: { path: { uuid } } }));
  return `${state} ${JSON.stringify(found.data)}`;
}

const words = ok(
  await client.POST("/v1/jobs/{name}", {
    params: { path: { name: "CountWords" }, query: { priority: 2 } },
    body: { text: "one two two" },
  }),
);
console.log("general call:", await data(words.uuid));

const send = () =>
  client.POST("/v1/jobs/SendInvoice", {
    params: { header: { "Idempotency-Key": "typescript-1" } },
    body: {
      customer: "Ada",
      lines: [{ article: "tea", count: 3, price: 4.1 }, { article: "pot" }],
      address: { street: "Main Street 1", city: "London", zip_code: null },
      kind: "paper",
      due: "2031-05-01T12:00:00Z",
      labels: { team: "sales" },
    },
  });
const invoice = ok(await send()).uuid;
console.log("repeated call:", ok(await send()).uuid === invoice ? "the same job" : "another job");
await wait(invoice);
const sent = ok(await client.GET("/v1/jobs/{uuid}/data", { params: { path: { uuid: invoice } } }));
const { total, currency, kind, due } = sent.data as Record<string, unknown>;
console.log("call of the type:", total, currency, kind, due);

const whole = ok(await client.GET("/v1/jobs/{name}", { params: { path: { name: invoice } } }));
console.log("job:", whole.type, whole.queue, whole.state);
const info = ok(await client.GET("/v1/jobs/{uuid}/info", { params: { path: { uuid: invoice } } }));
console.log("log:", info.events[0]?.message, info.events[0]?.data?.customer);
console.log("attempts:", info.attempts.length, info.attempts[0]?.cause);

const listed = ok(
  await client.GET("/v1/jobs", {
    params: { query: { type: ["SendInvoice", "CountWords"], state: ["succeeded"], limit: 500 } },
  }),
);
console.log("listed:", listed.jobs.some((job) => job.uuid === invoice));

const batch = ok(
  await client.POST("/v1/jobs:batch", {
    body: {
      jobs: [
        { type: "CountWords", parameters: { text: "one" }, priority: 1 },
        { type: "CountWords", parameters: { text: "one two" }, timeout: 60.5 },
      ],
    },
  }),
);
for (const uuid of batch.uuids) console.log("batch:", await data(uuid));

const none = await client.POST("/v1/jobs/{name}", { params: { path: { name: "Nothing" } } });
console.log("problem:", none.response.status, none.error?.code);
const wrong = await client.POST("/v1/jobs/SendInvoice", {
  body: {
    customer: "Ada",
    lines: [{ article: "tea", count: 1000 }],
    address: { street: "Main Street 1", city: "London" },
  },
});
console.log("problem:", wrong.response.status, wrong.error?.code, wrong.error?.errors?.[0]?.path);

const held: string[] = [];
for (let number = 0; number < 2; number++) {
  held.push(ok(await client.POST("/v1/jobs/Hold", {})).uuid);
}
const cancelled = ok(
  await client.POST("/v1/jobs:cancel", {
    body: { filter: { type: "Hold", state: ["queued", "running"], uuids: held }, limit: 10 },
  }),
);
console.log("cancelled:", cancelled.changed, cancelled.more);
for (const uuid of held) console.log("cancelled:", (await wait(uuid)).state);

const uuid = held[0] ?? "";
await client.DELETE("/v1/jobs/{name}", { params: { path: { name: uuid } } });
const gone = await client.GET("/v1/jobs/{name}", { params: { path: { name: uuid } } });
console.log("deleted:", gone.error?.status, gone.error?.code);

const { types } = ok(await client.GET("/v1/types"));
console.log("types:", types.map((type) => type.name).join(" "));
const { queues } = ok(await client.GET("/v1/queues"));
console.log("queues:", queues.map((queue) => queue.name).join(" "));
const { workers } = ok(await client.GET("/v1/workers"));
console.log("workers:", workers.map((worker) => `${worker.state} ${worker.slots}`).join(" "));
const stats = ok(await client.GET("/v1/stats", { params: { query: { minutes: 5 } } }));
console.log("stats:", stats.bucketSeconds, stats.times.length);
