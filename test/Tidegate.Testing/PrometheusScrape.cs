using System.Globalization;
using System.Text.RegularExpressions;

namespace Tidegate.Testing;

/// <summary>Reads the Prometheus text format as strictly as a server does; anything that one would refuse throws.</summary>
public sealed partial class PrometheusScrape
{
    private readonly Dictionary<string, double> _samples = [];

    /// <summary>Parses.</summary>
    public PrometheusScrape(string text)
    {
        var types = new Dictionary<string, string>();
        var current = "";
        if (!text.EndsWith('\n'))
        {
            throw new FormatException("The last line has no end.");
        }

        foreach (var line in text[..^1].Split('\n'))
        {
            if (line.StartsWith("# HELP ", StringComparison.Ordinal))
            {
                continue;
            }

            if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                var parts = line.Split(' ');
                current = parts[2];
                if (!types.TryAdd(current, parts[3]))
                {
                    throw new FormatException($"{current} has two heads.");
                }

                continue;
            }

            var sample = Sample().Match(line);
            if (!sample.Success)
            {
                throw new FormatException($"This is no sample: {line}");
            }

            var name = sample.Groups["name"].Value;
            var fits = types[current] == "histogram" ? name == current + "_bucket" || name == current + "_sum" || name == current + "_count" : name == current;
            if (!fits || (types[current] == "counter" && !name.EndsWith("_total", StringComparison.Ordinal)))
            {
                throw new FormatException($"{name} stands under {current}, a {types[current]}.");
            }

            var value = sample.Groups["value"].Value;
            if (!_samples.TryAdd(name + sample.Groups["labels"].Value, value switch { "+Inf" => double.PositiveInfinity, "NaN" => double.NaN, _ => double.Parse(value, CultureInfo.InvariantCulture) }))
            {
                throw new FormatException($"This sample is there twice: {line}");
            }
        }
    }

    /// <summary>The sum over all samples of that name that have these labels, each written as <c>name="value"</c>.</summary>
    public double Sum(string name, params string[] labels) =>
        _samples.Where(sample => sample.Key.Split('{')[0] == name && labels.All(label => sample.Key.Contains(label, StringComparison.Ordinal))).Sum(sample => sample.Value);

    /// <summary>Whether there is a sample of that name.</summary>
    public bool Has(string name) => _samples.Keys.Any(sample => sample.Split('{')[0] == name);

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?<labels>\{[a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\\\|\\"|\\n)*"(,[a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\\\|\\"|\\n)*")*\})? (?<value>[0-9.eE+-]+|\+Inf|-Inf|NaN)$""", RegexOptions.ExplicitCapture)]
    private static partial Regex Sample();
}
