// The worst texts of each construct of Markdown that we know, by name: what makes a parser nest, look back, or begin
// again. `size` in characters.
const fill = (unit: string, size: number): string => unit.repeat(Math.ceil(size / unit.length)).slice(0, size);

const UNITS: Record<string, string> = {
  words: "word ",
  "one word": "x",
  lines: "a\n",
  "blank lines": "\n",
  "paragraphs of one letter": "a\n\n",
  quotes: ">",
  "quotes with lists": "> - ",
  "quotes in lines": `${"> ".repeat(100)}a\n`,
  lists: "- ",
  "numbered lists": "1. ",
  items: "- a\n",
  "empty items": "-\n",
  tasks: "- [ ] a\n",
  "rules that are lists": "- - - -a\n",
  emphasis: "*a ",
  "closing emphasis": "a* ",
  "mixed emphasis": "**a*_",
  "deleted text": "a~~b~",
  brackets: "[",
  "closing brackets": "]",
  "links without end": "[a](",
  "links with angles": "[a](<b",
  "images in images": "![[",
  "links of links": "[a][b]",
  backticks: "`",
  "code without end": "a`b``",
  fences: "```\n",
  "fences with words": "```a\n",
  tildes: "~",
  "fences in lists": "- ```\n",
  "fences in quotes": "> ```\n",
  tables: "a|b\n-|-\n",
  pipes: "|",
  "table rules": "|-|\n",
  autolinks: "<http://a ",
  addresses: "a@b.",
  "bare addresses": "http://a",
  angles: "<",
  tags: "<a b='",
  "tags in lines": "<div>\n",
  comments: "<!--",
  instructions: "a<?",
  cdata: "<![CDATA[",
  references: "[a]: b\n",
  "references without end": "[a]: b 'c\n",
  "references over lines": "[\n",
  footnotes: "[^a]: b\n",
  headings: "# a\n",
  hashes: "#",
  "hashes in a heading": "# ",
  "underlined headings": "a\n=\n",
  underlines: "=\n",
  rules: "***\n",
  "stars in a row": "* * ",
  entities: "&#x",
  escapes: "\\*",
  tabs: "\t",
  "indented code": "\ta\n",
  "blanks in lines": "     \n",
  carriage: "\r",
  halves: "\ud800",
};

const SHAPES: Record<string, (size: number) => string> = {
  "blanks in a heading": (size) => `# a${fill(" ", size)}b`,
  "blanks in a line": (size) => `x${fill(" ", size)}y`,
  "tabs in a line": (size) => `x${fill("\t", size)}y`,
  "a long fence": (size) => `${fill("`", Math.min(700, size))}\n${fill("code line\n", size)}`,
  "a line of tildes": (size) => fill("~", size),
  "backticks of every length": (size) =>
    Array.from({ length: Math.sqrt(2 * size) }, (_, index) => `${"`".repeat(index + 1)}a`).join(""),
  "a wide table": (size) => `${fill("|a", size / 3)}\n${fill("|-", size / 3)}\n${fill("|b\n", size / 3)}`,
  "a long underline": (size) => `a\n${fill("=", size)} b`,
  "lines that go on in nested quotes": (size) => `${fill("> ", Math.min(1_000, size / 2))}a\n${fill("b\n", size)}`,
  "lines that go on in nested lists": (size) => `${fill("- ", Math.min(1_000, size / 2))}a\n${fill("b\n", size)}`,
  "lists in lists": (size) =>
    Array.from({ length: Math.sqrt(size) }, (_, index) => `${" ".repeat(2 * index)}- a\n`).join(""),
  "brackets in brackets": (size) => fill("[", size / 2) + fill("]", size / 2),
  "brackets that link": (size) => fill("[", size / 2) + fill("](a)", size / 2),
  "many references": (size) => Array.from({ length: size / 11 }, (_, index) => `[a${index}]: b\n`).join(""),
  "many headings": (size) => Array.from({ length: size / 12 }, (_, index) => `# ${index}\n\nb\n\n`).join(""),
  "one long heading": (size) => `# ${fill("word ", size)}`,
  "long headings": (size) => fill(`# ${fill("word ", 1_500)}\n\ntext\n\n`, size),
};

export function hostileText(name: string, size: number): string {
  const unit = UNITS[name];
  const text = unit === undefined ? SHAPES[name]?.(size) : fill(unit, size);
  if (text === undefined) throw new Error(`there is no such text: ${name}`);
  return text;
}

export const hostileTexts = (size: number): [name: string, text: string][] =>
  [...Object.keys(UNITS), ...Object.keys(SHAPES)].map((name) => [name, hostileText(name, size)]);
