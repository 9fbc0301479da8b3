// Calls that must not compile: each line that the compiler must refuse says so.
import createClient from "openapi-fetch";
import type { paths } from "./zerog.js";

const client = createClient<paths>({ baseUrl: "" });
const address = { street: "Main Street 1", city: "London" };

client.POST("/v1/jobs/SendInvoice", {
  body: {
    customer: 7, // refused
    lines: [{ article: "tea", count: "three" }], // refused
    address,
    currency: "gbp", // refused
  },
});
client.POST("/v1/jobs/SendInvoice", {
  body: { customer: "Ada", lines: [] }, // refused
});
client.POST("/v1/jobs/Unknown", {}); // refused
client.GET("/v1/jobs", {
  params: { query: { state: ["finished"] } }, // refused
});
client.POST("/v1/jobs:cancel", {
  body: { filter: { type: 7 } }, // refused
});
