namespace Tidegate.Policies.Limits;

/// <summary>What a cell remembers beside its numbers.</summary>
internal abstract class CellMemory;
