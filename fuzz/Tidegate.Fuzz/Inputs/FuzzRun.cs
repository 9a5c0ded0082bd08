using Tidegate.Fuzz.Targets;

namespace Tidegate.Fuzz.Inputs;

/// <summary>One target's inputs, each made from the seed and its own number, so that any of them can be made again.</summary>
internal sealed class FuzzRun(FuzzTarget target, int seed)
{
    /// <summary>The input with that number.</summary>
    public byte[] Input(int number) => Mutator.Make(target.Seeds, target.Tokens, Random(number, 0));

    /// <summary>Checks an input, cut as its number says.</summary>
    /// <returns>What is wrong; null when nothing is.</returns>
    public Exception? Check(byte[] input, int number)
    {
        try
        {
            target.Check(input, Random(number, 1));
            return null;
        }
        catch (Exception found)
        {
            // Whatever it is: no input may make a parser throw.
            return found;
        }
    }

    /// <summary>A smaller input that fails in the same way.</summary>
    public byte[] Smallest(byte[] input, int number, Exception found) => InputText.Smallest(input, shorter => Check(shorter, number)?.GetType() == found.GetType());

    private Random Random(int number, int use) => new(unchecked((((seed * 1_000_003) + number) * 31) + use));
}
