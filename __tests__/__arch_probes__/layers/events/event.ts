export interface DomainEvent {
  type: string;
}
