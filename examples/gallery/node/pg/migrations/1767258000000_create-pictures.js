export const up = (pgm) => {
  pgm.createTable("pictures", {
    id: "id",
    name: { type: "text", notNull: true, unique: true },
    content_type: { type: "text", notNull: true },
    content: { type: "bytea", notNull: true },
  });
};

export const down = (pgm) => pgm.dropTable("pictures");
