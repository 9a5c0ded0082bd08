using System.Text;
using Tidegate.Fuzz.Inputs;
using Tidegate.Fuzz.Targets;
using Xunit;

namespace Tidegate.Tests.Fuzz;

/// <summary>What the fuzzer holds the parsers to, for a moment: every good input, and some thousand made from them. <c>fuzz/</c> does the same for as long as one likes.</summary>
public sealed class FuzzTargetTests
{
    public static TheoryData<string> Targets => [.. FuzzTarget.All.Keys];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Good_inputs_mean_the_same_however_they_are_cut(string name)
    {
        var target = FuzzTarget.All[name];
        foreach (var seed in target.Seeds)
        {
            for (var cut = 0; cut < 50; cut++)
            {
                target.Check(seed, new Random(cut));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Inputs_made_from_good_ones_break_nothing(string name)
    {
        var run = new FuzzRun(FuzzTarget.All[name], seed: 1);
        for (var number = 0; number < (name == "configuration" ? 200 : 2_000); number++)
        {
            var input = run.Input(number);
            Assert.True(run.Check(input, number) is not { } found, $"{name} {number}: {InputText.Literal(input)}");
        }
    }

    // What the fuzzer found once, in its smallest form.
    [Theory]
    [InlineData("configuration", ": [{\ns")]
    [InlineData("configuration", "include: [\"a\\0b\"]")]
    [InlineData("configuration", "consumers: [{ name: a, credentials: [{ api_key: \"${file:a\\0b}\" }] }]")]
    [InlineData("configuration", "apis: [{name: a, direction: ingress, upstream: {destinations: [\"${env:KEY}\"]}}]")]
    [InlineData("response", "HTTP/1.1 200 \r\nTransfer-Encoding:chunked\r\n\r\n1;\r\n \r\n0\r\nr:|x\r\n\r\n")]
    public void What_was_found_once_stays_fixed(string name, string input) => FuzzTarget.All[name].Check(Encoding.Latin1.GetBytes(input), new Random(1));

    [Fact]
    public void A_broken_parser_is_found_and_its_input_made_small()
    {
        var run = new FuzzRun(new BrokenTarget(), seed: 3);

        var number = Enumerable.Range(0, 100_000).First(number => run.Check(run.Input(number), number) is not null);
        var found = run.Check(run.Input(number), number)!;

        Assert.Equal("\"\\u0000;\"", InputText.Literal(run.Smallest(run.Input(number), number, found)));
    }

    [Fact]
    public void A_literal_stands_for_its_bytes() => Assert.Equal("\"a\\r\\n\\t\\\"\\\\\\u0000\\u00ff\"", InputText.Literal([.. "a\r\n\t\"\\"u8, 0, 255]));

    /// <summary>Cannot take a NUL before a semicolon.</summary>
    private sealed class BrokenTarget : FuzzTarget
    {
        public override string Name => "broken";

        public override IReadOnlyList<byte[]> Seeds { get; } = Latin1("key=value; other=value; third=value");

        public override IReadOnlyList<byte[]> Tokens { get; } = Latin1("\0", "=");

        public override void Check(byte[] input, Random random)
        {
            var nul = Array.IndexOf(input, (byte)0);
            Holds(nul < 0 || Array.IndexOf(input, (byte)';', nul) < 0, "it breaks");
        }
    }
}
