// What a notification of the Subscriptions R5 Backport says: how a subscription is, and what happened.

const named = (parts, name) => (parts ?? []).find((part) => part.name === name);
const number = (parts, name) => Number(named(parts, name)?.valueString ?? 0);

// `known` is the number of the last event there was. An event has no resource where it was deleted or may not be seen.
export function read(bundle) {
  const status = bundle.entry[0].resource.parameter;
  const copies = new Map();
  // Versions of one resource come in the order of their events.
  for (const { fullUrl, resource } of bundle.entry.slice(1)) {
    copies.set(fullUrl, [...(copies.get(fullUrl) ?? []), resource]);
  }
  const events = status.filter(({ name }) => name === "notification-event").map(({ part }) => {
    const focus = named(part, "focus")?.valueReference.reference;
    return { number: number(part, "event-number"), resource: copies.get(focus)?.shift() };
  });
  return {
    id: named(status, "subscription").valueReference.reference.split("/").pop(),
    type: named(status, "type").valueCode,
    status: named(status, "status").valueCode,
    known: number(status, "events-since-subscription-start"),
    events,
  };
}
