using BenchmarkDotNet.Attributes;
using Tidegate.Benchmarks.Operations;

namespace Tidegate.Benchmarks;

/// <summary>Every operation, one after the other. A delegate call (about 1 ns) is part of each figure.</summary>
[MemoryDiagnoser]
public class OperationBenchmark
{
    private Action _operation = null!;

    public static IEnumerable<string> Names => AllOperations.ByName.Keys;

    [ParamsSource(nameof(Names))]
    public string Operation { get; set; } = "";

    [GlobalSetup]
    public void Start() => _operation = AllOperations.ByName[Operation]();

    [Benchmark]
    public void Run() => _operation();
}
