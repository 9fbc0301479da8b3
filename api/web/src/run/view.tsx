// Run a job: choose a type, fill in the form made from its JSON Schema, send.

import type { Route } from "../route";
import { RunType } from "./type";
import { Types } from "./types";

export function Run({ route }: { route: Route }) {
  const name = route.path[1];
  return name === undefined ? (
    <Types />
  ) : (
    <RunType key={name} name={name} like={route.query.get("like")} />
  );
}
