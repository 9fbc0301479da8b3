"use strict";
// Shows queues, workers and the newest jobs, and looks again every two seconds while the page is visible.
const cell = (text, link) => {
  const td = document.createElement("td");
  if (link) {
    const a = document.createElement("a");
    a.href = link; a.textContent = text; td.append(a);
  } else td.textContent = text ?? "–";
  return td;
};
const fill = (id, rows) => {
  const body = document.getElementById(id);
  body.replaceChildren(...rows.map((cells) => {
    const tr = document.createElement("tr");
    tr.append(...cells);
    return tr;
  }));
};
const get = async (path) => {
  const response = await fetch(path);
  if (!response.ok) throw new Error((await response.json()).detail);
  return response.json();
};
const refresh = async () => {
  const status = document.getElementById("status");
  try {
    const [queues, workers, jobs] = await Promise.all(["/v1/queues", "/v1/workers", "/v1/jobs?limit=20"].map(get));
    fill("queues", queues.queues.map((q) => [q.name, q.ready, q.reserved, q.delayed, q.buried, q.departurePerMinute].map((t) => cell(t))));
    fill("workers", workers.workers.map((w) => [cell(w.name), cell(w.state), cell(w.slots), cell(w.running.map((r) => r.type).join(", ") || "idle")]));
    fill("jobs", jobs.jobs.map((j) => [cell(j.uuid, `/v1/jobs/${j.uuid}/info`), cell(j.type), cell(j.state), cell(j.resultCode), cell(new Date(j.createdTime).toLocaleString())]));
    status.textContent = "";
  } catch (error) { status.textContent = `Cannot look now: ${error.message}`; }
};
refresh();
setInterval(() => { if (!document.hidden) refresh(); }, 2000);
