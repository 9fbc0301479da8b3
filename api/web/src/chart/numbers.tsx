// A chart's numbers as a table, the newest first.

import { minute } from "../format";
import type { Series } from "./scale";

interface Props {
  title: string;
  times: string[];
  series: Series[];
  told: (series: Series, index: number) => string;
}

export function Numbers({ title, times, series: all, told }: Props) {
  return (
    <details class="numbers">
      <summary>Numbers</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label={`${title}: numbers`}>
        <table>
          <thead>
            <tr>
              <th scope="col">Minute</th>
              {all.map((series) => (
                <th scope="col" class="num" key={series.name}>
                  {series.name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {times
              .map((text, index) => (
                <tr key={text}>
                  <td>{minute(text)}</td>
                  {all.map((series) => (
                    <td class="num" key={series.name}>
                      {told(series, index)}
                    </td>
                  ))}
                </tr>
              ))
              .reverse()}
          </tbody>
        </table>
      </div>
    </details>
  );
}
