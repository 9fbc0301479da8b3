// When jobs were submitted or ended: a choice of ranges that move with the clock, or two times.

import { fromLocal, toLocal } from "../run/moment";
import { PRESETS, timeOf } from "./filter";

const OWN = "own";
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

interface Props {
  name: string;
  after: string;
  before: string;
  set: (after: string, before: string) => void;
}

export function TimeRange({ name, after, before, set }: Props) {
  const isPreset = before === "" && (after === "" || PRESETS.some(([text]) => text === after));
  const choose = (value: string) =>
    set(value === OWN ? minuteOf(timeOf(after || "1h", Date.now())) : value, "");
  return (
    <>
      <label class="inline-field">
        {name}{" "}
        <select
          value={isPreset ? after : OWN}
          onChange={(event) => choose(event.currentTarget.value)}
        >
          <option value="">any time</option>
          {PRESETS.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
          <option value={OWN}>from … to …</option>
        </select>
      </label>
      {!isPreset && <Own key={`${after} ${before}`} {...{ name, after, before, set }} />}
    </>
  );
}

/** Nothing is asked of the API before both times are as somebody wants them. */
function Own({ name, after, before, set }: Props) {
  const local = (text: string) => (text && toLocal(timeOf(text, Date.now()))) ?? "";
  return (
    <form
      class="range"
      aria-label={`Range: ${name.toLowerCase()}`}
      onSubmit={(event) => {
        event.preventDefault();
        const typed = new FormData(event.currentTarget);
        set(fromLocal(typed.get("from") as string), fromLocal(typed.get("to") as string));
      }}
    >
      <Moment label={`${name} from`} name="from" value={local(after)} />
      <span class="muted">to</span>
      <Moment label={`${name} to`} name="to" value={local(before)} />
      <button type="submit">Apply</button>
    </form>
  );
}

function Moment({ label, name, value }: { label: string; name: string; value: string }) {
  return (
    <input type="datetime-local" step="1" aria-label={label} name={name} defaultValue={value} />
  );
}

const minuteOf = (text: string): string => {
  const moment = Date.parse(text) || Date.now() - HOUR_MS;
  return new Date(Math.floor(moment / MINUTE_MS) * MINUTE_MS).toISOString();
};
