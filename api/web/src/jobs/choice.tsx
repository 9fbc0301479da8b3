// A choice of one name, or of any.

interface ChoiceProps {
  name: string;
  value: string;
  options: string[];
  set: (value: string) => void;
}

export function Choice({ name, value, options, set }: ChoiceProps) {
  const all = value && !options.includes(value) ? [value, ...options] : options;
  return (
    <label class="inline-field">
      {name}{" "}
      <select value={value} onChange={(event) => set(event.currentTarget.value)}>
        <option value="">any</option>
        {all.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}
