import { render } from "preact"; render(<h1>Benchmark</h1>, document.getElementById("app") as HTMLElement);
