// The API's calls and schemas, from its specification.

import { useLoaded, useTitle } from "../hooks";
import { Empty, Title, Trouble } from "../ui";
import { CallBlock } from "./call";
import { readSpecification } from "./specification";

export function Docs() {
  useTitle("REST API");
  const { value, error, reload } = useLoaded("/openapi.json", readSpecification);
  return (
    <div class="view docs">
      <Title>REST API</Title>
      <p class="lead">
        Made from <a href="/openapi.json">openapi.json</a>, which is generated from the code that
        checks and answers the calls. Open a call to try it.
      </p>
      {error && <Trouble error={error} retry={reload} />}
      {value === null && !error && <Empty>Looking…</Empty>}
      <div>
        {value?.calls.map((call) => (
          <CallBlock key={`${call.method} ${call.path}`} call={call} />
        ))}
      </div>
      <h2>Schemas</h2>
      <div>
        {value?.schemas.map(([name, schema]) => (
          <details key={name} class="call">
            <summary>{name}</summary>
            <pre tabIndex={0}>{schema}</pre>
          </details>
        ))}
      </div>
    </div>
  );
}
