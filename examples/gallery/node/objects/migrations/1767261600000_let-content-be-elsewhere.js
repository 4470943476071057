export const up = (pgm) => pgm.alterColumn("pictures", "content", { notNull: false });

export const down = (pgm) => pgm.alterColumn("pictures", "content", { notNull: true });
