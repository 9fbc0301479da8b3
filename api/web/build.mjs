// Builds the page into the folder given, or into the package's. The same sources give the same bytes.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "../src/zerog_api/static");
mkdirSync(out, { recursive: true });
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { app: "src/app.tsx", style: "src/style.css" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  // What has `light-dark()`.
  target: ["chrome123", "firefox121", "safari17.5"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  charset: "utf8",
  metafile: true,
});
for (const name of ["index.html", "icon.svg"]) cpSync(join(here, "src", name), join(out, name));

const packages = new Set();
for (const input of Object.keys(metafile.inputs)) {
  const match = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
  if (match) packages.add(match[1]);
}
const notices = [...packages].sort().map((name) => {
  const folder = join(here, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}\n`;
});
writeFileSync(
  join(out, "licenses.txt"),
  `This page contains the following software.\n\n${notices.join("\n\n")}`,
);

// What the files were built from: a test compares it without having to build.
const files = readdirSync(join(here, "src"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(here, join(entry.parentPath, entry.name)));
const hash = createHash("sha256");
for (const name of ["package-lock.json", "build.mjs", ...files.sort()])
  hash
    .update(`${name}\0`)
    .update(readFileSync(join(here, name)))
    .update("\0");
writeFileSync(join(out, "sources.sha256"), `${hash.digest("hex")}\n`);
