-- Words of the list's owner about a person, which choose nothing: tags that came with an import and are no topics here.
ALTER TABLE subscribers ADD COLUMN labels TEXT NOT NULL DEFAULT '';
