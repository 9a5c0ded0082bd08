using Xunit;

namespace Tidegate.Tests;

/// <summary>
/// Tests that count what is allocated run when nothing else does: the runtime optimises a method only after a pause in which no new ones are called, and code that is not optimised allocates
/// more.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Allocations
{
    public const string Name = "allocations";
}
