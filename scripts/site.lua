-- A table scrolls inside a box of its own, by keyboard too.
function Table(t)
  return pandoc.Div({t}, pandoc.Attr("", {"table"}, {{"tabindex", "0"}, {"role", "region"}, {"aria-label", "Table"}}))
end

-- The title of a page is its only heading of the first rank; pandoc gives the list of references that rank too.
function Header(h)
  if h.level == 1 then h.level = 2 return h end
end
