export interface Organisation {
  id: string;
}
