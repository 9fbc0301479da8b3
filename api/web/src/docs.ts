// Shows openapi.json: one block a call, with a form that makes the call.

import { ApiError, get, raw } from "./api";
import { check, indent, member, members } from "./jsontext";
import { shown } from "./shown";
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
}

const MAX_STREAM_CHARS = 20_000;

function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.map((child) => (typeof child === "string" ? shown(child) : child)));
  return element;
}

const field = (name: string, control: HTMLElement, hint = ""): HTMLElement =>
  make(
    "label",
    { className: "field" },
    make("span", { className: "field-name" }, name),
    control,
    ...(hint ? [make("span", { className: "field-hint" }, hint)] : []),
  );

function block(path: string, method: string, operation: Operation): HTMLElement {
  const controls = new Map<Parameter, HTMLInputElement>();
  const inputs = operation.parameters.map((parameter) => {
    const input = make("input", {
      autocomplete: "off",
      spellcheck: false,
      required: parameter.required,
    });
    controls.set(parameter, input);
    const where = `${parameter.in}${parameter.required ? ", required" : ""}`;
    return field(`${parameter.name} (${where})`, input, parameter.description ?? "");
  });
  const body =
    operation.requestBody === undefined
      ? null
      : make("textarea", { rows: 4, className: "mono", value: "{}", spellcheck: false });
  if (body !== null) inputs.push(field("body (JSON)", body));
  const output = make("pre", { hidden: true, tabIndex: 0 });
  output.setAttribute("role", "status");
  const button = make("button", { type: "button", className: "primary" }, "Send");
  button.addEventListener("click", () => void send(path, method, controls, body, output));
  const answers = make(
    "p",
    { className: "muted" },
    `Answers: ${Object.keys(operation.responses).join(", ")}`,
  );
  const summary = make(
    "summary",
    {},
    make("span", { className: `method method-${method}` }, method.toUpperCase()),
    make("code", {}, path),
    make("span", { className: "call-text" }, operation.summary),
  );
  return make(
    "details",
    { className: "call" },
    summary,
    make("div", { className: "call-body" }, ...inputs, answers, button, output),
  );
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
    if (parameter.in === "path")
      url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (parameter.in === "query") query.append(parameter.name, input.value);
    else headers[parameter.name] = input.value;
  }
  if (body !== null) headers["Content-Type"] = "application/json";
  output.hidden = false;
  output.textContent = "…";
  try {
    const target = url + (query.size > 0 ? `?${query}` : "");
    const answer = await raw(target, { method: method.toUpperCase(), headers, body: body?.value });
    const { status, statusText } = answer.response;
    output.textContent = shown(`${status} ${statusText}\n`);
    await show(answer, output);
  } catch (error) {
    output.append(shown(error instanceof Error ? error.message : String(error)));
  }
}

/** A stream is shown as it arrives, up to what somebody reads. */
async function show(
  { response, text, end }: Awaited<ReturnType<typeof raw>>,
  output: HTMLElement,
): Promise<void> {
  const streams = response.headers.get("Content-Type")?.includes("event-stream");
  const parts: string[] = [];
  let size = 0;
  try {
    for await (const part of text) {
      parts.push(part);
      size += part.length;
      if (!streams) continue;
      output.append(shown(part));
      if (size >= MAX_STREAM_CHARS) return;
    }
  } finally {
    end();
  }
  if (!streams) output.append(shown(laidOut(parts.join(""))));
}

function laidOut(text: string): string {
  try {
    return indent(check(text));
  } catch {
    return text; // not JSON
  }
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
  let text: string;
  try {
    text = await get("/openapi.json", undefined, check);
  } catch (error) {
    const status = document.getElementById("status")!;
    status.textContent =
      error instanceof ApiError && error.status === 401
        ? "This API asks for a token: give it on the overview, then come back."
        : `The specification cannot be read now: ${shown((error as Error).message)}.`;
    return;
  }
  const specification: Specification = JSON.parse(text);
  const calls = document.getElementById("calls")!;
  for (const [path, methods] of Object.entries(specification.paths))
    for (const [method, operation] of Object.entries(methods))
      calls.append(block(path, method, operation));
  const schemas = document.getElementById("schemas")!;
  for (const [name, schema] of members(member(member(text, "components")!, "schemas")!))
    schemas.append(
      make(
        "details",
        { className: "call" },
        make("summary", {}, name),
        make("pre", { tabIndex: 0 }, indent(schema)),
      ),
    );
}

void main();
