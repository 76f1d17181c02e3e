// What is there instead of a view that failed: the frame stays, and another view can be gone to.
import { Component, type ComponentChildren } from "preact";
import { textOf } from "../client";

export class Boundary extends Component<{ children: ComponentChildren }, { problem?: string }> {
  override componentDidCatch(error: unknown): void {
    this.setState({ problem: textOf(error) });
  }

  override render() {
    if (this.state.problem === undefined) return this.props.children;
    return (
      <p class="notice critical" role="alert">
        This could not be shown: {this.state.problem}. Reload the page: the app may be another version by now.
      </p>
    );
  }
}
