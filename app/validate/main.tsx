import { render } from "preact"; render(<h1>Validate</h1>, document.getElementById("app") as HTMLElement);
