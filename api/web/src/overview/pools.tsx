// The pools of the operator, one per row.

import { count } from "../format";
import { jobsLink } from "../route";
import type { Pool } from "../types";
import { Badge } from "../ui";

export function Pools({ pools }: { pools: Pool[] }) {
  return (
    <section aria-labelledby="pools">
      <h2 id="pools">Pools</h2>
      <div class="scroll">
        <table>
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
                  {pool.name}
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
                  {pool.ready !== "True" && <span class="sub">{pool.message}</span>}
                </td>
                <td class="wide">
                  {pool.queue && <a href={jobsLink({ queue: pool.queue })}>{pool.queue}</a>}
                </td>
                <td class="num">{count(pool.readyReplicas)}</td>
                <td class="num">{count(pool.desiredReplicas)}</td>
                <td class="num">{count(pool.busy)}</td>
                <td class="num wide">
                  {pool.minReplicas} – {pool.maxReplicas}
                </td>
                <td class="wide">{pool.decision}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
