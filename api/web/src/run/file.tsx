// A field for a file.

import type { ControlProps } from "./control";

/** A file, sent as base64 within the parameters. */
export function FileField({ value, set, shared }: Omit<ControlProps, "field">) {
  const read = (file: File | undefined) => {
    if (file === undefined) {
      set("");
      return;
    }
    const reader = new FileReader();
    reader.onload = () => set((reader.result as string).split(",", 2)[1] ?? "");
    reader.readAsDataURL(file);
  };
  return (
    <>
      <input {...shared} type="file" onChange={(event) => read(event.currentTarget.files?.[0])} />
      {value && (
        <span class="field-hint">{value.length.toLocaleString("en")} characters of base64</span>
      )}
    </>
  );
}
