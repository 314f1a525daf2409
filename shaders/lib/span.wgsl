// What an invocation goes through of `size` items: a workgroup's share lies together, so that one that has many stays
// within a few pages of memory, and its invocations take turns in it.
struct Span { begin: u32, end: u32 }

const WORKGROUP = 64u;

fn span_of(id: vec3u, groups: vec3u, size: u32) -> Span {
  let share = (size + groups.x * WORKGROUP - 1u) / (groups.x * WORKGROUP) * WORKGROUP;
  let begin = id.x / WORKGROUP * share;
  return Span(begin + id.x % WORKGROUP, min(begin + share, size));
}
