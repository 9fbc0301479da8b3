// A job's labels, each of which leads to the jobs that have it.

import { Cut } from "./cut";

interface Props {
  labels: Record<string, string> | undefined;
  link: (label: string) => string;
}

export function Labels({ labels, link }: Props) {
  const texts = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  if (texts.length === 0) return null;
  return (
    <ul class="labels" aria-label="Labels">
      {texts.map((text) => (
        <li key={text}>
          <a class="label" href={link(text)} aria-label={`Jobs with label ${text}`}>
            <Cut text={text} />
          </a>
        </li>
      ))}
    </ul>
  );
}
