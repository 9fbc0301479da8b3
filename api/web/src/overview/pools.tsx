// The pools of the operator, one per row.

import { Clamp, Cut } from "../cut";
import { count } from "../format";
import { jobsLink } from "../route";
import type { Pool } from "../types";
import { Badge } from "../ui";

export function Pools({ pools }: { pools: Pool[] }) {
  return (
    <section aria-labelledby="pools">
      <h2 id="pools">Pools</h2>
      <div class="scroll">
        <table class="stack">
          <thead>
            <tr>
              <th scope="col">Pool</th>
              <th scope="col">State</th>
              <th scope="col" class="wide">
                Queue
              </th>
              <th scope="col" class="num">
                Ready
              </th>
              <th scope="col" class="num">
                Wanted
              </th>
              <th scope="col" class="num">
                Busy
              </th>
              <th scope="col" class="num wide">
                From – to
              </th>
              <th scope="col" class="wide">
                Last decision
              </th>
            </tr>
          </thead>
          <tbody>
            {pools.map((pool) => (
              <tr key={`${pool.namespace}/${pool.name}`}>
                <th scope="row" class="name">
                  <Cut text={pool.name} />
                  <span class="sub">{pool.namespace}</span>
                </th>
                <td>
                  <Badge
                    state={
                      pool.ready === "True"
                        ? "ready"
                        : pool.ready === "False"
                          ? "trouble"
                          : "unknown"
                    }
                  />
                  {pool.ready !== "True" && (
                    <span class="sub">
                      <Clamp text={pool.message} />
                    </span>
                  )}
                </td>
                <td class="wide">
                  {pool.queue && (
                    <a href={jobsLink({ queue: pool.queue })}>
                      <Cut text={pool.queue} />
                    </a>
                  )}
                </td>
                <td class="num" data-label="Ready">
                  {count(pool.readyReplicas)}
                </td>
                <td class="num" data-label="Wanted">
                  {count(pool.desiredReplicas)}
                </td>
                <td class="num" data-label="Busy">
                  {count(pool.busy)}
                </td>
                <td class="num wide">
                  {pool.minReplicas} – {pool.maxReplicas}
                </td>
                <td class="wide decision">
                  <Clamp text={pool.decision} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
