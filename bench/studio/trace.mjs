/** What threads of a page did, by Chromium's own trace: wall clock and processor time of every task. */

const CATEGORIES = ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'blink.user_timing'];

/** Runs `work` under a trace. Gives what it gives, and the tasks. */
export async function traced(page, work) {
  await page.tracing.start({ categories: CATEGORIES });
  const result = await work();
  const bytes = await page.tracing.stop();
  return { result, threads: threadsOf(JSON.parse(new TextDecoder().decode(bytes)).traceEvents) };
}

/** Tasks of the page's own thread and of its worker's, in milliseconds of `performance.now()`. The page marks `bench-zero` at a known time. */
function threadsOf(events) {
  const mark = events.find(({ name }) => name === 'bench-zero');
  if (!mark) throw new Error('the trace has no mark of the page');
  const at = Number(mark.args.data?.startTime ?? mark.args.startTime);
  const zero = mark.ts - at * 1000;
  const names = new Map(events.filter(({ name, pid }) => name === 'thread_name' && pid === mark.pid).map(({ tid, args }) => [tid, args.name]));
  const tasks = (isThread) => events.filter(({ name, pid, tid, ph }) => ph === 'X' && name === 'RunTask' && pid === mark.pid && isThread(names.get(tid) ?? '', tid))
    .map(({ ts, dur = 0, tdur = 0 }) => ({ start: (ts - zero) / 1000, wall: dur / 1000, cpu: tdur / 1000 }))
    .sort((a, b) => a.start - b.start);
  const parts = events.filter(({ ph, pid, tid }) => ph === 'X' && pid === mark.pid && tid === mark.tid)
    .map(({ name, ts, dur = 0, tdur = 0 }) => ({ name, start: (ts - zero) / 1000, wall: dur / 1000, cpu: tdur / 1000 }));
  return { page: tasks((_, tid) => tid === mark.tid), worker: tasks((name) => name.startsWith('DedicatedWorker')), parts };
}

/** Tasks between two times, in short. */
export function within(tasks, from, to) {
  const inside = tasks.filter(({ start }) => start >= from && start < to);
  const most = (pick) => inside.reduce((largest, task) => Math.max(largest, pick(task)), 0);
  const sum = (pick) => inside.reduce((total, task) => total + pick(task), 0);
  return {
    seconds: (to - from) / 1000,
    tasks: inside.length,
    longestWall: most(({ wall }) => wall), longestCpu: most(({ cpu }) => cpu),
    over50Wall: inside.filter(({ wall }) => wall > 50).length, over50Cpu: inside.filter(({ cpu }) => cpu > 50).length,
    cpuSeconds: sum(({ cpu }) => cpu) / 1000,
  };
}

/** What the longest tasks were made of. */
export function longest(parts, tasks, from, to, count = 3) {
  return tasks.filter(({ start }) => start >= from && start < to).sort((a, b) => b.cpu - a.cpu).slice(0, count).map((task) => ({
    ...task,
    parts: Object.entries(parts.filter(({ name, start, wall }) => name !== 'RunTask' && start >= task.start && start + wall <= task.start + task.wall + 0.001)
      .reduce((sums, { name, cpu }) => ({ ...sums, [name]: (sums[name] ?? 0) + cpu }), {})).filter(([, cpu]) => cpu > 1).sort((a, b) => b[1] - a[1]).slice(0, 6),
  }));
}
