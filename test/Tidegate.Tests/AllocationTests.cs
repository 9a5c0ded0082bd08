using Tidegate.Benchmarks.Allocations;
using Tidegate.Benchmarks.Operations;
using Xunit;

namespace Tidegate.Tests;

/// <summary>The allocation gate: what the request path allocates may not grow unnoticed. Bytes are counted, not timed, so a busy machine changes nothing.</summary>
[Collection(Allocations.Name)]
public sealed class AllocationTests
{
    private static readonly AllocationBaseline Baseline = AllocationBaseline.Read();

    public static TheoryData<string> Operations => [.. AllOperations.ByName.Keys];

    [Theory]
    [MemberData(nameof(Operations))]
    public void An_operation_allocates_no_more_than_its_baseline(string operation)
    {
#if DEBUG
        Assert.Skip("Unoptimised code allocates more; the baseline is of Release builds.");
#endif
        var allowed = Baseline.Of(operation);

        // The patience is for the JIT, which optimises in the background, on a busy machine late.
        var bytes = AllocationMeter.Measure(AllOperations.ByName[operation](), allowed, TimeSpan.FromSeconds(60));

        Assert.True(bytes <= allowed, $"{operation}: {bytes} B, allowed are {allowed} B. If that is meant, say why in the commit and run bench/micro/check-allocations --update.");
    }

    [Fact]
    public void The_baseline_names_only_operations_that_exist() => Assert.Empty(Baseline.Names.Except(AllOperations.ByName.Keys));
}
