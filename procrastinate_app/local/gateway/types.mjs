// How values travel between JavaScript and Postgres, so that JSON answers look like PostgREST's.

const json = (oid) => ({
  to: oid,
  from: [oid],
  // Text is JSON already: encoding it again would turn an object into a JSON string.
  serialize: (value) => (typeof value === "string" ? value : JSON.stringify(value)),
  parse: JSON.parse,
});

const text = (oid, parse) => ({ to: oid, from: [oid], serialize: (value) => value, parse });

const isoDate = (value) => value.replace(" ", "T");
const isoZone = (value) => isoDate(value).replace(/([+-]\d\d)$/, "$1:00");

export const jsonTypes = { json: json(114), jsonb: json(3802) };

export const apiTypes = {
  ...jsonTypes,
  bytea: {
    to: 17,
    from: [17],
    serialize: (value) =>
      typeof value === "string" ? value : `\\x${Buffer.from(value).toString("hex")}`,
    parse: (value) => value,
  },
  numeric: { to: 1700, from: [1700], serialize: String, parse: Number },
  timestamp: text(1114, isoDate),
  timestamptz: text(1184, isoZone),
};
