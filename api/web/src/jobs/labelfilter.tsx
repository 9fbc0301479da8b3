// Which labels the listed jobs have: chips that go when pressed, and a field for one more.

import { Cut } from "../cut";

interface Props {
  labels: string[];
  set: (labels: string[]) => void;
}

export function LabelFilter({ labels, set }: Props) {
  return (
    <form
      class="label-filter"
      aria-label="Labels"
      onSubmit={(event) => {
        event.preventDefault();
        const field = event.currentTarget.elements.namedItem("label") as HTMLInputElement;
        const label = field.value.trim();
        field.value = "";
        if (label) set([...new Set([...labels, label])]);
      }}
    >
      {labels.map((label) => (
        <button
          key={label}
          type="button"
          class="label"
          aria-label={`Remove label ${label}`}
          onClick={() => set(labels.filter((each) => each !== label))}
        >
          <Cut text={label} /> <span aria-hidden="true">×</span>
        </button>
      ))}
      <input
        name="label"
        placeholder="Label: key=value"
        aria-label="Only jobs with this label"
        pattern="[^=]+=.+"
        title="A label is key=value. Press Enter to add it."
        autocomplete="off"
        spellcheck={false}
      />
    </form>
  );
}
