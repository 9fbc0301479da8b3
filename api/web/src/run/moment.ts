// A time as JSON has it, and as a browser's field for local times has it. Pure.

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const LOCAL = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/;

const pad = (number: number, digits = 2): string => String(number).padStart(digits, "0");

/** Whether a field for dates can hold a text. */
export const isDate = (text: string): boolean => text === "" || DATE.test(text);

/** A time in this browser's zone, as its field takes it; null: the field cannot hold it. */
export function toLocal(text: string): string | null {
  if (text === "") return "";
  const date = new Date(text);
  if (!LOCAL.test(text) || Number.isNaN(date.getTime())) return null;
  const day = `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  const seconds = date.getSeconds() === 0 ? "" : `:${pad(date.getSeconds())}`;
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}${seconds}`;
}

/** What was chosen, with the zone's offset at that time. */
export function fromLocal(local: string): string {
  const date = new Date(local);
  if (local === "" || Number.isNaN(date.getTime())) return "";
  const east = -date.getTimezoneOffset();
  const offset = `${pad(Math.floor(Math.abs(east) / 60))}:${pad(Math.abs(east) % 60)}`;
  return `${local.length === 16 ? `${local}:00` : local}${east < 0 ? "-" : "+"}${offset}`;
}

export const zoneName = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
