/*
 * A mutant that lives must be explained, and the explanation must be true: not only a sentence, but a
 * claim about each world that only the mutant reaches. See lived.ts.
 */
import { explanationOf, LIVED } from "./lived.js";
import { type Grade, grade, type Mutant, mutantsHeard, spell } from "./mutants.js";
import { tellStory } from "./story.js";

export interface Judgement {
  /** "law", "scenario" or "places": what found it. "lives": nothing did. */
  readonly how: Grade["how"];
  /** By what it was found, or why it may live. */
  readonly why: string;
  /** What is wrong with that; undefined if nothing is. */
  readonly complaint: string | undefined;
}

export function judge(mutant: Mutant): Judgement {
  const graded = grade(mutant);
  const explained = explanationOf(spell(mutant));
  const { how } = graded;
  if (how !== "lives") {
    const complaint = explained && `it is found by now (${graded.by}): strike it off the list`;
    return { how, why: graded.by, complaint };
  }
  if (explained === undefined) {
    return { how, why: "", complaint: "nothing complains about it, and nobody has said why" };
  }
  const { why, claim } = explained;
  const untrue = graded.novel.find((each) => !claim(each));
  const complaint =
    untrue &&
    `it lives, but not because ${why}:\n${tellStory([{ label: "", world: untrue.world }])}`;
  return { how, why, complaint };
}

/** Explanations of mutants that do not exist, or that no walk ever comes to. */
export function nameless(): string[] {
  const names = new Set(mutantsHeard().map(spell));
  return LIVED.flatMap(({ mutants }) => mutants).filter((name) => !names.has(name));
}
