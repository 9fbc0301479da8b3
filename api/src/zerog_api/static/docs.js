"use strict";
// Renders openapi.json: one block a call, with a form that makes the call.
const make = (name, text, ...children) => {
  const element = document.createElement(name);
  if (text) element.textContent = text;
  element.append(...children);
  return element;
};
const field = (label, control) => { const l = make("label", label); l.append(control); return l; };
const block = (path, method, operation) => {
  const controls = new Map();
  const inputs = operation.parameters.map((p) => {
    const input = make("input");
    input.placeholder = p.description || (p.required ? "required" : "");
    controls.set(p, input);
    return field(`${p.name} (${p.in}${p.required ? ", required" : ""})`, input);
  });
  let body = null;
  if (operation.requestBody) {
    body = make("textarea", "{}");
    body.rows = 4;
    inputs.push(field("body (JSON)", body));
  }
  const output = make("pre");
  output.hidden = true;
  const button = make("button", "Send");
  button.addEventListener("click", async () => {
    let url = path;
    const query = new URLSearchParams(), headers = {};
    for (const [p, input] of controls) {
      if (!input.value) continue;
      if (p.in === "path") url = url.replace(`{${p.name}}`, encodeURIComponent(input.value));
      else if (p.in === "query") query.append(p.name, input.value);
      else headers[p.name] = input.value;
    }
    if (body) headers["Content-Type"] = "application/json";
    output.hidden = false;
    try {
      const response = await fetch(url + (query.size ? `?${query}` : ""), { method: method.toUpperCase(), headers, body: body ? body.value : undefined });
      const text = await response.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* no JSON: as it is */ }
      output.textContent = `${response.status} ${response.statusText}\n${shown}`;
    } catch (error) { output.textContent = String(error); }
  });
  const answers = make("p", "Answers: " + Object.keys(operation.responses).join(", "));
  return make("details", "", make("summary", "", Object.assign(make("span", method.toUpperCase()), { className: "method" }), make("code", path), ` ${operation.summary}`), ...inputs, answers, button, output);
};
fetch("/openapi.json").then((response) => response.json()).then((specification) => {
  const calls = document.getElementById("calls");
  for (const [path, methods] of Object.entries(specification.paths))
    for (const [method, operation] of Object.entries(methods)) calls.append(block(path, method, operation));
  const schemas = document.getElementById("schemas");
  for (const [name, schema] of Object.entries(specification.components.schemas))
    schemas.append(make("details", "", make("summary", name), make("pre", JSON.stringify(schema, null, 2))));
});
