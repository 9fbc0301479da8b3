// Shows openapi.json: one block a call, with a form that makes the call.

import { raw } from "./api";
import { applyTheme, nextTheme, readTheme } from "./theme";

interface Parameter {
  name: string;
  in: string;
  required: boolean;
  description?: string;
}

interface Operation {
  summary: string;
  parameters: Parameter[];
  requestBody?: unknown;
  responses: Record<string, unknown>;
}

interface Specification {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
}

function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

const field = (name: string, control: HTMLElement, hint = ""): HTMLElement =>
  make("label", { className: "field" }, make("span", { className: "field-name" }, name), control,
    ...(hint ? [make("span", { className: "field-hint" }, hint)] : []));

function block(path: string, method: string, operation: Operation): HTMLElement {
  const controls = new Map<Parameter, HTMLInputElement>();
  const inputs = operation.parameters.map((parameter) => {
    const input = make("input", { autocomplete: "off", spellcheck: false, required: parameter.required });
    controls.set(parameter, input);
    const where = `${parameter.in}${parameter.required ? ", required" : ""}`;
    return field(`${parameter.name} (${where})`, input, parameter.description ?? "");
  });
  const body = operation.requestBody === undefined ? null : make("textarea", { rows: 4, className: "mono", value: "{}", spellcheck: false });
  if (body !== null) inputs.push(field("body (JSON)", body));
  const output = make("pre", { hidden: true, tabIndex: 0 });
  output.setAttribute("role", "status");
  const button = make("button", { type: "button", className: "primary" }, "Send");
  button.addEventListener("click", () => void send(path, method, controls, body, output));
  const answers = make("p", { className: "muted" }, `Answers: ${Object.keys(operation.responses).join(", ")}`);
  const summary = make("summary", {}, make("span", { className: `method method-${method}` }, method.toUpperCase()),
    make("code", {}, path), make("span", { className: "call-text" }, operation.summary));
  return make("details", { className: "call" }, summary, make("div", { className: "call-body" }, ...inputs, answers, button, output));
}

async function send(
  path: string,
  method: string,
  controls: Map<Parameter, HTMLInputElement>,
  body: HTMLTextAreaElement | null,
  output: HTMLElement,
): Promise<void> {
  let url = path;
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  for (const [parameter, input] of controls) {
    if (!input.value) continue;
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (parameter.in === "query") query.append(parameter.name, input.value);
    else headers[parameter.name] = input.value;
  }
  if (body !== null) headers["Content-Type"] = "application/json";
  output.hidden = false;
  output.textContent = "…";
  try {
    const target = url + (query.size > 0 ? `?${query}` : "");
    const response = await raw(target, { method: method.toUpperCase(), headers, body: body?.value });
    output.textContent = `${response.status} ${response.statusText}\n`;
    await show(response, output);
  } catch (error) {
    output.textContent = String(error);
  }
}

/** A stream is shown as it comes, up to what somebody reads. */
async function show(response: Response, output: HTMLElement): Promise<void> {
  const head = output.textContent ?? "";
  if (!response.headers.get("Content-Type")?.includes("event-stream")) {
    const text = await response.text();
    try {
      output.textContent = head + JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      output.textContent = head + text;
    }
    return;
  }
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (let size = 0; size < 20_000; ) {
    const { done, value } = await reader.read();
    if (done) return;
    size += value.length;
    output.append(value);
  }
  await reader.cancel();
}

function themeButton(): HTMLElement {
  const button = make("button", { type: "button", className: "quiet" });
  const show = () => {
    const theme = readTheme();
    button.textContent = theme.charAt(0).toUpperCase() + theme.slice(1);
    button.setAttribute("aria-label", `Colours: ${theme}. Change`);
  };
  button.addEventListener("click", () => {
    applyTheme(nextTheme(readTheme()));
    show();
  });
  show();
  return button;
}

async function main(): Promise<void> {
  applyTheme(readTheme());
  document.getElementById("theme")!.append(themeButton());
  const response = await raw("/openapi.json", {});
  if (!response.ok) {
    document.getElementById("status")!.textContent =
      response.status === 401 ? "This API asks for a token: give it on the overview, then come back." : "The specification cannot be read now.";
    return;
  }
  const specification: Specification = await response.json();
  const calls = document.getElementById("calls")!;
  for (const [path, methods] of Object.entries(specification.paths))
    for (const [method, operation] of Object.entries(methods)) calls.append(block(path, method, operation));
  const schemas = document.getElementById("schemas")!;
  for (const [name, schema] of Object.entries(specification.components.schemas))
    schemas.append(make("details", { className: "call" }, make("summary", {}, name),
      make("pre", { tabIndex: 0 }, JSON.stringify(schema, null, 2))));
}

void main();
