"""What the made shop sells, and to what kind of household, in words and round numbers. Not a benchmark itself."""

import dataclasses

__all__ = ["ADJECTIVES", "AGEING", "SYLLABLES", "TRAITS", "Category", "read_categories"]

# What a household may be like, and the share of each age that is.
TRAITS = {
    "garden": (0.1, 0.2, 0.4, 0.5, 0.6, 0.6),
    "children": (0.05, 0.35, 0.6, 0.4, 0.15, 0.2),
    "sport": (0.5, 0.5, 0.4, 0.35, 0.25, 0.15),
    "cook": (0.25, 0.4, 0.45, 0.45, 0.5, 0.5),
    "style": (0.6, 0.55, 0.4, 0.35, 0.3, 0.25),
    "cat": (0.15, 0.25, 0.25, 0.25, 0.25, 0.2),
    "dog": (0.1, 0.15, 0.25, 0.25, 0.2, 0.15),
}
# Department | category | what a household is like that wants it | price | days it lasts | month it is most wanted in |
# share | what goes with it | products. Nothing stands for: any household, for years, at any time.
CATEGORIES = """
Grocery|Coffee||9|24||8|Biscuits|Coffee Beans,Ground Coffee,Espresso Pods
Grocery|Tea||5|35|12|5|Biscuits|Green Tea,Black Tea,Herbal Tea
Grocery|Pasta||2.5|21||5|Sauces|Spaghetti,Penne,Fusilli
Grocery|Sauces||3.5|28||4|Pasta|Tomato Sauce,Pesto,Curry Sauce
Grocery|Biscuits||3|18||5|Coffee|Shortbread,Oat Biscuits,Wafers
Grocery|Chocolate||4|20|12|6||Chocolate Bar,Pralines,Cocoa
Grocery|Breakfast||4.5|25||4|Coffee|Granola,Muesli,Porridge Oats
Grocery|Soft Drinks||2|14|7|4||Lemonade,Iced Tea,Tonic Water
Household|Laundry||11|45||5|Cleaning|Laundry Liquid,Washing Powder
Household|Dish Care||7|40||4||Dishwasher Tabs,Washing-up Liquid
Household|Paper Goods||6|30||5||Kitchen Rolls,Tissues,Toilet Paper
Household|Cleaning||5|60||3||Floor Cleaner,Glass Cleaner,Sponges
Household|Candles|style|12||12|2||Scented Candle,Tea Lights
Beauty & Care|Shampoo||7|50||4|Conditioner|Shampoo,Dry Shampoo
Beauty & Care|Conditioner|style|8|60||2|Shampoo|Conditioner,Hair Mask
Beauty & Care|Skin Care|style|18|60|1|4||Face Cream,Serum,Hand Cream
Beauty & Care|Oral Care||4|40||4||Toothpaste,Mouthwash
Beauty & Care|Sun Care||12||7|2||Sun Lotion,After Sun
Beauty & Care|Make-up|style|14|||3|Skin Care|Lipstick,Mascara,Foundation
Beauty & Care|Fragrance|style|45||12|2||Eau de Toilette,Eau de Parfum
Kitchen|Cookware|cook|40|||3|Kitchen Tools|Frying Pan,Saucepan,Casserole
Kitchen|Kitchen Tools|cook|12|||3||Chef's Knife,Peeler,Whisk,Chopping Board
Kitchen|Tableware|cook|18|||2||Dinner Plates,Bowls,Wine Glasses
Kitchen|Coffee Makers|cook|90||12|1|Coffee|Espresso Machine,French Press,Coffee Grinder
Kitchen|Food Storage|cook|10|||2||Storage Jars,Lunch Box
Home|Bedding||45||11|2|Cushions|Duvet Cover,Pillow,Blanket
Home|Towels||18|||2||Bath Towel,Hand Towel
Home|Lamps|style|40||11|2||Table Lamp,Floor Lamp
Home|Cushions|style|20|||2||Cushion,Seat Pad
Home|Decorations|style|12||12|3|Candles|Garland,Vase,Picture Frame
Clothing|T-shirts|style|18||6|4|Jeans|T-shirt,Polo Shirt
Clothing|Knitwear|style|45||11|3||Jumper,Cardigan
Clothing|Jackets|style|90||10|2||Rain Jacket,Winter Coat,Denim Jacket
Clothing|Jeans|style|60|||3|T-shirts|Slim Jeans,Straight Jeans
Clothing|Shoes|style|75||4|3|Socks|Trainers,Ankle Boots,Sandals
Clothing|Socks||9|||3||Socks,Tights
Clothing|Swimwear||30||7|2|Sun Care|Swimsuit,Swim Shorts
Sports|Running|sport|60||4|2|Socks|Running Shoes,Running Shirt,Running Belt
Sports|Yoga|sport|30||1|2||Yoga Mat,Yoga Block
Sports|Camping|sport|55||7|2||Tent,Sleeping Bag,Camping Stove
Sports|Cycling|sport|40||5|2||Cycling Helmet,Bike Lock,Bike Light
Sports|Winter Sports|sport|70||1|2|Socks|Ski Goggles,Sledge,Ski Gloves
Sports|Sports Nutrition|sport|25|30|1|2||Protein Powder,Energy Bars
Garden|Seeds|garden|4||4|3|Plant Food|Tomato Seeds,Flower Seeds,Herb Seeds
Garden|Garden Tools|garden|25||4|2||Secateurs,Spade,Watering Can
Garden|Pots|garden|15||5|2|Plant Food|Plant Pot,Window Box
Garden|Plant Food|garden|9|60|5|2||Plant Food,Compost
Garden|Barbecue||60||6|2||Charcoal Grill,Grill Tongs,Charcoal
Garden|Garden Lights|garden|20||6|1||Solar Lights,Lantern
Toys|Building Sets|children|35||12|3||Building Blocks,Train Set
Toys|Board Games|children|28||12|2|Puzzles|Board Game,Card Game
Toys|Puzzles|children|16||12|2||Jigsaw Puzzle,Wooden Puzzle
Toys|Soft Toys|children|18||12|2||Teddy Bear,Soft Rabbit
Toys|Outdoor Toys|children|22||6|2||Kite,Sandpit Set,Scooter
Pets|Cat Food|cat|12|21||4|Cat Litter|Dry Cat Food,Wet Cat Food
Pets|Cat Litter|cat|9|28||3|Cat Food|Clumping Litter,Wood Litter
Pets|Dog Food|dog|18|21||4|Dog Treats|Dry Dog Food,Wet Dog Food
Pets|Dog Treats|dog|6|20||2||Chew Sticks,Training Treats
Pets|Pet Toys|cat|8|||1||Cat Tree,Feather Wand,Rubber Ball
"""
# Words of products' names, and parts of brands' names.
ADJECTIVES = """
Classic Fine Original Everyday Premium Light Large Small Soft Royal Pure Simple Nordic Country Urban Golden Blue Green
Red White Dark Mild Extra Double Natural Family Compact Deluxe
"""
SYLLABLES = "al ber cor dan el fen gra hol im jun kel lor mar nor or pel quin ros sol tam ul ver win zel"
# Yearly loss of appeal: fashion ages, food hardly does.
AGEING = {"Clothing": 1.5, "Sports": 0.8, "Home": 0.6, "Toys": 0.8, "Beauty & Care": 0.4}


@dataclasses.dataclass(frozen=True)
class Category:
    """A line of `CATEGORIES`; `lasts` is 0 for what lasts for years, `peak` 0 for what has no season."""

    department: str
    name: str
    trait: str
    price: float
    lasts: int
    peak: int
    share: float
    goes_with: int | None
    nouns: tuple[str, ...]


def read_categories() -> list[Category]:
    """The lines of `CATEGORIES`, in order."""
    lines = [line.split("|") for line in CATEGORIES.strip().splitlines()]
    rows = {line[1]: row for row, line in enumerate(lines)}
    return [
        Category(department, name, trait, float(price), int(lasts or 0), int(peak or 0), float(share),
                  rows.get(goes_with), tuple(nouns.split(",")))
        for department, name, trait, price, lasts, peak, share, goes_with, nouns in lines
    ]  # fmt: skip
