// The list of jobs: filters in the address, keyset pages, changes by filter. At most one page is
// in the document, whatever the number of jobs.

import { useEffect, useRef, useState } from "preact/hooks";
import { plural } from "../format";
import { useLive, useLoaded, useTitle } from "../hooks";
import { go, type Route } from "../route";
import type { Page } from "../types";
import { Announce, Title, Trouble, useQuestion } from "../ui";
import { ByFilter } from "./byfilter";
import { Chosen } from "./chosen";
import {
  askedNow,
  type Filter,
  isFiltered,
  labelLink,
  linkQuery,
  readFilter,
  search,
} from "./filter";
import { Filters } from "./filters";
import { Find } from "./find";
import { holdsText } from "./shown";
import { Table } from "./table";

/** The first page is looked at again this often while something happens. */
const REFRESH_MS = 2000;

const NONE: ReadonlySet<string> = new Set();

export function Jobs({ route }: { route: Route }) {
  useTitle("Jobs");
  const filter = readFilter(route.query);
  const cursor = route.query.get("cursor") ?? "";
  const page = useLoaded<Page>(`/v1/jobs?${search(filter, cursor)}`, undefined, askedNow);
  const [text, setText] = useState("");
  const [chosen, choose] = useState(NONE);
  const [dialog, ask] = useQuestion(page.reload);
  const loaded = page.value?.jobs ?? [];
  const jobs = text === "" ? loaded : loaded.filter((job) => holdsText(job, text));
  const picked = jobs.filter((job) => chosen.has(job.uuid));
  // The list stays as it is while somebody chooses from it.
  useRefresh(page.reload, cursor === "" && picked.length === 0);
  const set = (part: Partial<Filter>) => go(`/jobs?${linkQuery({ ...filter, ...part }, "")}`);
  return (
    <div class="view">
      <Title>Jobs</Title>
      <Filters filter={filter} set={set} />
      <div class="toolbar">
        {picked.length > 0 ? (
          <Chosen jobs={picked} ask={ask} clear={() => choose(NONE)} />
        ) : (
          <ByFilter filter={filter} ask={ask} />
        )}
        <Find text={text} set={setText} />
      </div>
      {page.error && <Trouble error={page.error} retry={page.reload} />}
      {page.value && (
        <Table
          jobs={jobs}
          isFiltered={isFiltered(filter)}
          text={text}
          labelLink={(label) => labelLink(filter, label)}
          chosen={chosen}
          choose={choose}
        />
      )}
      {page.value && (
        <nav class="pages" aria-label="Pages">
          {cursor !== "" && <a href={`#/jobs?${linkQuery(filter, "")}`}>Newest</a>}
          {cursor !== "" && (
            <button type="button" class="link" onClick={() => history.back()}>
              Newer
            </button>
          )}
          {page.value.next && <a href={`#/jobs?${linkQuery(filter, page.value.next)}`}>Older</a>}
        </nav>
      )}
      <Announce text={page.value ? `${plural(jobs.length, "job")} on this page` : "Loading"} />
      {dialog}
    </div>
  );
}

/** Look again when the live overview has changed, but not all the time. */
function useRefresh(reload: () => void, wanted: boolean) {
  const { overview } = useLive();
  const last = useRef(0);
  useEffect(() => {
    if (!wanted || overview === null) return;
    const wait = Math.max(0, last.current + REFRESH_MS - Date.now());
    const timer = setTimeout(() => {
      last.current = Date.now();
      reload();
    }, wait);
    return () => clearTimeout(timer);
  }, [overview, wanted, reload]);
}
