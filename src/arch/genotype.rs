//! Architectures of stacked cells as published code writes them: DARTS's `Genotype(normal=[('sep_conv_3x3', 1), ...], ...)`, two operators for
//! each node with the nodes that they get, and NAS-Bench-201's `|nor_conv_3x3~0|+|none~0|skip_connect~1|+|...|`. Cells of blocks are written as
//! DARTS's, with the two sides of every block; one list is enough to read them.

use super::published;
use super::Architecture;
use crate::error::Result;
use crate::json;
use crate::space::stack::Skeleton;
use crate::space::{Operator, Space, Stack};

const NONE: &str = "none";

/// An operator and the node that it gets, for every node.
type Nodes = Vec<Vec<(String, u32)>>;

impl Architecture {
    /// Reads either text, or the name of a published architecture. What it does not name is empty.
    pub fn from_genotype(space: &Space, text: &str) -> Result<Self> {
        let wrong = |reason: String| json::out_of_range(super::DOCUMENT, "/genotype", reason);
        let stack = space.stack().ok_or_else(|| wrong(format!("the cells of the space {:?} are a chain", space.name())))?;
        let text = published::genotype(text).unwrap_or(text);
        let graphs = match stack.plan().skeleton {
            Skeleton::NasBench201 => piped(text).map(|nodes| vec![nodes]),
            _ => named(text, stack),
        };
        let mut cells = vec![Vec::new(); space.cells().len()];
        for (graph, nodes) in graphs.map_err(wrong)?.iter().enumerate() {
            let (name, inputs) = (stack.graphs()[graph].name, stack.plan().skeleton.inputs());
            if nodes.len() != stack.plan().nodes as usize {
                return Err(wrong(format!("{name}: {} nodes, the space has {}", nodes.len(), stack.plan().nodes)));
            }
            let pairs = (inputs..).zip(nodes).flat_map(|(to, node)| node.iter().enumerate().map(move |pair| (to, pair)));
            for (to, (side, (operator, from))) in pairs {
                // Edges of a node are ordered by where they come from; the sides of a block, as they are written.
                let node = stack.nodes(graph).nth((to - inputs) as usize).unwrap_or_default();
                let (place, of) = if stack.plan().skeleton.blocks() { (side, Some(*from)) } else { (*from as usize, None) };
                if *from >= to {
                    return Err(wrong(format!("{name}: ({operator:?}, {from}): node {to} has edges from 0 to {}", to - 1)));
                }
                if operator == NONE && of.is_none() {
                    continue;
                }
                let edge = node.start + place;
                let index = operator.parse().map(|operator: Operator| space.cells()[edge].find(&operator.from(of)));
                let index = index.map_err(wrong)?;
                let index = index.ok_or_else(|| wrong(format!("{operator} is not a candidate of this space")))?;
                if cells[edge].contains(&index) {
                    return Err(wrong(format!(
                        "{name}: {operator} from {from} to {to} is there twice, which this space has not"
                    )));
                }
                cells[edge].push(index);
            }
        }
        Self::new(space, cells)
    }

    /// The text that published code reads. None where it cannot say what this is: DARTS's has two operators for every node, those of blocks
    /// one on every side.
    pub fn genotype(&self, space: &Space) -> Option<String> {
        let stack = space.stack()?;
        let operators = self.operators(space);
        let pairs = |edge: usize| {
            let open = self.places[edge].iter().zip(&operators[edge]);
            let mut pairs: Vec<_> = open.map(|(o, operator)| (operator.from(None).to_string(), stack.from(edge, *o))).collect();
            if let (true, Skeleton::NasBench201, Some(from)) = (pairs.is_empty(), stack.plan().skeleton, stack.edges()[edge].from)
            {
                pairs.push((NONE.into(), from));
            }
            pairs
        };
        let graph = |graph: usize| -> Nodes { stack.nodes(graph).map(|node| node.flat_map(pairs).collect()).collect() };
        match stack.plan().skeleton {
            Skeleton::NasBench201 => {
                let node = |pairs: &Vec<(String, u32)>| {
                    format!("|{}|", pairs.iter().map(|(name, from)| format!("{name}~{from}")).collect::<Vec<_>>().join("|"))
                };
                Some(graph(0).iter().map(node).collect::<Vec<_>>().join("+"))
            }
            _ => {
                let graphs = [graph(0), graph(stack.graphs().len() - 1)];
                let sides = !stack.plan().skeleton.blocks() || self.places.iter().all(|side| side.len() == 1);
                let two = sides && graphs.iter().flatten().all(|node| node.len() == 2);
                let list = |nodes: &Nodes| {
                    nodes.iter().flatten().map(|(name, from)| format!("('{name}', {from})")).collect::<Vec<_>>().join(", ")
                };
                let end = 2 + stack.plan().nodes;
                let [normal, reduce] = graphs.each_ref().map(list);
                two.then(|| {
                    format!("Genotype(normal=[{normal}], normal_concat=range(2, {end}), reduce=[{reduce}], reduce_concat=range(2, {end}))")
                })
            }
        }
    }

    /// What stays of the cells when empty edges, and what only they lead to, are left out and "skip_connect" is passed through: the text by
    /// which NAS-Bench-201 counts 6,466 different cells among 15,625. Equal texts are the same up to constants: an operator on zeros gives what
    /// its batch-norm adds. None for a chain, and where a node's text would have more than 64 KiB: it has that of every earlier node in it.
    pub fn topology(&self, space: &Space) -> Option<String> {
        const NOTHING: &str = "#";
        const LONGEST: usize = 1 << 16;
        let stack = space.stack()?;
        let operators = self.operators(space);
        let inputs = stack.plan().skeleton.inputs();
        let cell = |graph: usize| -> Option<String> {
            let mut nodes: Vec<String> = (0..inputs).map(|input| input.to_string()).collect();
            for node in stack.nodes(graph) {
                let mut terms = Vec::new();
                for edge in node {
                    let open = self.places[edge].iter().zip(&operators[edge]);
                    terms.extend(open.map(|(o, operator)| {
                        let (before, name) = (&nodes[stack.from(edge, *o) as usize], operator.from(None).to_string());
                        match name.as_str() {
                            _ if before == NOTHING => NOTHING.to_owned(),
                            "skip_connect" => before.clone(),
                            name => format!("({before})@{name}"),
                        }
                    }));
                    if self.places[edge].is_empty() {
                        terms.push(NOTHING.into());
                    }
                }
                terms.sort_unstable();
                nodes.push(Some(terms.join("+")).filter(|text| text.len() <= LONGEST)?);
            }
            match stack.plan().skeleton.concatenates() {
                true => Some(nodes.split_off(inputs as usize).join(", ")),
                false => nodes.pop(),
            }
        };
        Some((0..stack.graphs().len()).map(cell).collect::<Option<Vec<_>>>()?.join("; "))
    }
}

/// `|op~from|op~from|+|...|`.
fn piped(text: &str) -> std::result::Result<Nodes, String> {
    let node = |part: &str| {
        let inner = part.trim().strip_prefix('|').and_then(|part| part.strip_suffix('|'));
        let inner = inner.ok_or_else(|| format!("{part:?} is not a node; one is like |skip_connect~0|none~1|"))?;
        let pair = |pair: &str| {
            let (operator, from) = pair.split_once('~').ok_or_else(|| format!("{pair:?} is not like skip_connect~0"))?;
            Ok((operator.to_owned(), from.parse().map_err(|_| format!("{from:?} in {pair:?} is not a node"))?))
        };
        inner.split('|').map(pair).collect()
    };
    text.split('+').map(node).collect()
}

/// `Genotype(normal=[...], normal_concat=..., reduce=[...], reduce_concat=...)`: the graphs of `stack`.
fn named(text: &str, stack: &Stack) -> std::result::Result<Vec<Nodes>, String> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let start =
        compact.find("Genotype(").ok_or_else(|| format!("{:?} is not a text like Genotype(normal=[...], ...)", clipped(text)))?;
    let body = &compact[start + "Genotype(".len()..];
    let normal = pairs(body, "normal")?;
    // One list is enough for one kind of cells.
    let reduce =
        if stack.plan().skeleton.alike() && value(body, "reduce").is_none() { normal.clone() } else { pairs(body, "reduce")? };
    let end = 2 + stack.plan().nodes;
    for key in ["normal_concat", "reduce_concat"] {
        let all: Vec<_> = (2..end).map(|node| node.to_string()).collect();
        let Some(given) = value(body, key) else { continue };
        let (range, list) = (format!("range(2,{end})"), format!("[{}]", all.join(",")));
        if !given.starts_with(&range) && !given.starts_with(&list) {
            return Err(format!("{key} is not {range}: the cells of this space give all their nodes"));
        }
    }
    match stack.graphs().len() {
        1 if normal != reduce => Err("normal and reduce differ, and this space has one kind of cells for both".into()),
        1 => Ok(vec![normal]),
        _ => Ok(vec![normal, reduce]),
    }
}

/// What follows `key=`.
fn value<'a>(body: &'a str, key: &str) -> Option<&'a str> {
    let at = body.match_indices(&format!("{key}=")).find(|(at, _)| *at == 0 || matches!(body.as_bytes()[at - 1], b',' | b'('))?.0;
    Some(&body[at + key.len() + 1..])
}

/// A list of pairs, two for each node.
fn pairs(body: &str, key: &str) -> std::result::Result<Nodes, String> {
    let list = value(body, key).and_then(|rest| rest.strip_prefix('[')).and_then(|rest| Some(&rest[..rest.find(']')?]));
    let list = list.ok_or_else(|| format!("no list {key}=[...]"))?;
    let mut all = Vec::new();
    for pair in list.split_inclusive(')').map(|pair| pair.trim_start_matches(',')).filter(|pair| !pair.is_empty()) {
        let inner = pair.strip_prefix('(').and_then(|pair| pair.strip_suffix(')'));
        let parts = inner.and_then(|inner| inner.split_once(',')).and_then(|(name, from)| {
            let name = name.strip_prefix(['\'', '"'])?.strip_suffix(['\'', '"'])?;
            Some((name.to_owned(), from.trim_end_matches(',').parse().ok()?))
        });
        all.push(parts.ok_or_else(|| format!("{:?} in {key} is not like ('skip_connect', 0)", clipped(pair)))?);
    }
    match all.len() % 2 {
        0 => Ok(all.chunks(2).map(<[_]>::to_vec).collect()),
        _ => Err(format!("{key} has {} operators, not two for each node", all.len())),
    }
}

/// The first characters.
fn clipped(text: &str) -> String {
    text.chars().take(40).collect()
}
